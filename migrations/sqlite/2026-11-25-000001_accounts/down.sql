DROP TABLE signing_keys;
DROP TABLE robot_tokens;
DROP TABLE users;
