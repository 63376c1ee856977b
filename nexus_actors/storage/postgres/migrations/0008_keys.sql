-- With which key a call was made: for whoever looks into a bill, and because a conversation lives with the key's account.
ALTER TABLE nexus.attempts ADD COLUMN key_name text;
COMMENT ON COLUMN nexus.attempts.key_name IS
    'Where the key of the call came from (a variable or a file, never the key); null where there is none.';
