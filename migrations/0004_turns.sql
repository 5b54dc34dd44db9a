-- Servers that answer. One that has not been heard of for a while is gone, and its turns with it.
create table processes (
    id uuid primary key,
    machine text not null,
    pid integer not null,
    seen_at timestamptz not null default now()
);

-- A turn, for as long as its events can be read again.
create table turns (
    id uuid primary key,
    owner text not null,
    conversation_id uuid not null,
    message_id uuid not null,
    process_id uuid not null,
    -- What makes the answer: the model and the prompt.
    origin jsonb not null,
    idempotency_key text,
    request_digest bytea not null,
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    cancel_requested_at timestamptz,
    -- When a reader on another server was last there.
    followed_at timestamptz,
    foreign key (conversation_id, owner) references conversations (id, owner) on delete cascade,
    unique (owner, idempotency_key)
);

create index turns_running on turns (process_id) where ended_at is null;
create index turns_by_end on turns (ended_at) where ended_at is not null;

create table turn_events (
    turn_id uuid not null references turns (id) on delete cascade,
    id integer not null,
    type text not null,
    -- Its JSON, as it was sent.
    body text not null,
    primary key (turn_id, id)
);

-- What a server left that was killed before its turns were written down.
update messages set status = 'failed', finished_at = now()
where status = 'running' and created_at < now() - interval '1 hour';
