-- Where the reader was when they asked (of a question), and how the answer was checked (of an answer).
alter table messages
    add column asked_with jsonb,
    add column grounding jsonb,
    -- Sentences of the model's that nothing supported: for whoever edits prompts, never for a reader.
    add column withheld jsonb;
