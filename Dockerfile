# Two images, built in a clone (docs/instructor.md says how they are used):
#   docker build -t hmr-edu .                     grades submissions
#   docker build --target hub -t hmr-edu-hub .    a learner's server on a JupyterHub
FROM python:3.12-slim AS course
# PyTorch's own index has wheels without CUDA, which is several gigabytes.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY . /opt/hmr_edu
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" \
    -c /opt/hmr_edu/constraints.txt "/opt/hmr_edu[notebooks,course]"
# Mounted folders must be open to this user: give your own number with --build-arg UID=$(id -u).
ARG UID=1000
RUN useradd --create-home --home-dir /srv/learner --uid "$UID" learner

FROM course AS hub
# The major version of the hub itself.
ARG JUPYTERHUB=5
RUN pip install --no-cache-dir -c /opt/hmr_edu/constraints.txt "jupyterhub==$JUPYTERHUB.*"
USER learner
WORKDIR /srv/learner
CMD ["jupyterhub-singleuser"]

FROM course AS grader
USER learner
WORKDIR /srv/learner
CMD ["hmr-edu", "course", "--help"]
