-- Every few seconds somebody asks which sessions have expired.
create index sessions_expiry on sessions (expires_at);
