-- Since when somebody may not come in.
alter table accounts add column suspended_at integer;

-- What administrators have done, in the order in which they did it. `actor`: null is whoever runs the program.
create table audit_log (
    id integer not null,
    at integer not null,
    actor blob,
    action text not null,
    subject text not null,
    detail text not null,
    constraint audit_log_pkey primary key (id),
    constraint audit_log_actor_fkey foreign key (actor) references accounts (id)
) strict;

-- When a session was renewed last, and what goes with it.
create index refresh_tokens_of_session on refresh_tokens (session);

-- Sessions that have long been over.
create index sessions_expiring on sessions (expires_at);
create index sessions_ended on sessions (ended_at) where ended_at is not null;
