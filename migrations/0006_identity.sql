-- Apps of developers, in the bucket of their owner, which their client id begins with.
CREATE TABLE apps (
  bucket        smallint NOT NULL,
  client_id     text NOT NULL,
  owner_id      bigint NOT NULL,
  name          text NOT NULL,
  redirect_uris text[] NOT NULL,
  secret_hash   bytea,                               -- SHA-256; NULL: a public client, which has no secret
  bearer_seed   uuid NOT NULL DEFAULT gen_random_uuid(), -- with the secret it makes the app's own token
  created_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (bucket, client_id)
);
CREATE INDEX apps_owner ON apps (owner_id);

-- A session is a person's, a third-party app's for a person, or an app's own.
ALTER TABLE sessions
  ALTER COLUMN user_id DROP NOT NULL,                -- NULL: the app's own
  ALTER COLUMN refresh_hash DROP NOT NULL,           -- NULL: cannot be refreshed
  ALTER COLUMN refresh_expires DROP NOT NULL,
  ADD COLUMN client_id     text,                     -- NULL: first-party
  ADD COLUMN scopes        text[],                   -- of the access token; NULL: first-party, every one
  ADD COLUMN granted       text[],                   -- what a refresh may ask for
  ADD COLUMN family_hash   bytea,                    -- SHA-256 of what all refresh tokens of the session have in common
  ADD COLUMN previous_hash bytea,                    -- the refresh token that was exchanged last
  ADD COLUMN lost_until    timestamptz,              -- until then it may be again: what it was exchanged for got lost
  ADD COLUMN refreshed_at  timestamptz,
  ADD COLUMN user_agent    text;
DROP INDEX sessions_refresh;
CREATE UNIQUE INDEX sessions_family ON sessions (bucket, family_hash);
CREATE INDEX sessions_client ON sessions (client_id) WHERE client_id IS NOT NULL;

-- Codes of OAuth, in the bucket of the user. One that was used stays a while: if it comes again, what it gave is taken back.
CREATE TABLE authorization_codes (
  bucket           smallint NOT NULL,
  code_hash        bytea NOT NULL,
  client_id        text NOT NULL,
  user_id          bigint NOT NULL,
  redirect_uri     text NOT NULL,
  scopes           text[] NOT NULL,
  challenge        text NOT NULL,
  challenge_method text NOT NULL,
  session_id       uuid NOT NULL DEFAULT gen_random_uuid(), -- of the session that it gives
  used             boolean NOT NULL DEFAULT false,
  expires          timestamptz NOT NULL,
  PRIMARY KEY (bucket, code_hash)
);
CREATE INDEX authorization_codes_user ON authorization_codes (user_id);
CREATE INDEX authorization_codes_age ON authorization_codes (expires);

-- An account that was deleted: nobody finds it any more, nor its tweets, which the outbox erases with all the rest. Its row
-- stays for the handle, which nobody else may take.
ALTER TABLE users ADD COLUMN closed_at timestamptz;
CREATE INDEX users_closed ON users (id) WHERE closed_at IS NOT NULL;

CREATE FUNCTION is_closed(account bigint) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT EXISTS (SELECT FROM users WHERE id = account AND closed_at IS NOT NULL)
$$;
