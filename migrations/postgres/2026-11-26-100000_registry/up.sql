-- Which registry this is: whoever has blobs elsewhere has them under this name.
CREATE TABLE registry (
    is_here BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (is_here),
    id UUID NOT NULL
);
INSERT INTO registry (id) VALUES (gen_random_uuid());

-- Whose turn it is to do what one replica at a time should: a task is held until it is ended or its time runs out.
CREATE TABLE turns (
    task TEXT COLLATE "C" PRIMARY KEY,
    token UUID,
    begun_at TIMESTAMPTZ,
    held_until TIMESTAMPTZ
);
