CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE papers (
    id         text COLLATE "C" PRIMARY KEY,
    key        text NOT NULL,               -- the corpus object it was read from
    sha256     text NOT NULL,               -- of that object's bytes
    recipe     text NOT NULL,               -- how its passages were cut and embedded
    title      text NOT NULL,
    authors    text[] NOT NULL,
    year       integer,
    venue      text,
    jel        text[] NOT NULL,
    doi        text,
    indexed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE passages (
    paper_id  text COLLATE "C" NOT NULL REFERENCES papers ON DELETE CASCADE,
    position  integer NOT NULL,
    text      text NOT NULL,
    embedding vector(256) NOT NULL,
    words     tsvector NOT NULL,            -- of the title and the text
    PRIMARY KEY (paper_id, position)
);

CREATE INDEX passages_by_meaning ON passages USING hnsw (embedding vector_cosine_ops);
CREATE INDEX passages_by_words ON passages USING gin (words);
