"""The body model: the SMPL layer, body files and the build of the free body."""
