-- Conversations and their messages. Every row has an owner, and every query names it.

create table conversations (
    id uuid primary key,
    owner text not null,
    title text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (id, owner)
);

create index conversations_by_owner on conversations (owner, updated_at desc);

-- A turn is a question (role user) and its answer (role assistant), in two rows of the same turn_id.
create table messages (
    id uuid primary key,
    conversation_id uuid not null,
    owner text not null,
    turn_id uuid not null,
    position bigint generated always as identity,
    role text not null check (role in ('user', 'assistant')),
    status text not null check (status in ('complete', 'running', 'answered', 'refused', 'failed', 'cancelled')),
    content text not null,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    model text,
    prompt_name text,
    prompt_version text,
    prompt_digest text,
    index_version text,
    input_tokens integer,
    output_tokens integer,
    model_calls integer,
    citations jsonb,
    refusal jsonb,
    error jsonb,
    timings jsonb,
    words tsvector generated always as (to_tsvector('english', content)) stored,
    foreign key (conversation_id, owner) references conversations (id, owner) on delete cascade,
    unique (turn_id, role)
);

create index messages_of_conversation on messages (conversation_id, position);
create index messages_by_words on messages using gin (words);
