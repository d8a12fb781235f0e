-- Which registry this is: whoever has blobs elsewhere has them under this name.
CREATE TABLE registry (
    is_here BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (is_here),
    id UUID NOT NULL
);
INSERT INTO registry (id) VALUES (gen_random_uuid());
