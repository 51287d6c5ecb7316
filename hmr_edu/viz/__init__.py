"""Pictures, 3D views, reports: everything that is drawn. Nothing else imports from here."""
