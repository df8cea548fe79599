-- The store in SQLite. The same tables as in PostgreSQL (migrations/postgres).
--
-- Later migrations only add; what is no longer needed goes one release later.
--
-- Ids are blobs of 16 bytes, booleans 0 or 1. A table without rowid is kept in
-- its primary key: one lookup instead of two, good for small rows.

create table meta (
    only_row integer not null default 1,
    epoch integer not null,
    constraint meta_pkey primary key (only_row),
    constraint meta_only_one_row check (only_row)
) strict;

insert into meta (epoch) values (1);

create table accounts (
    id blob not null,
    username text not null,
    display_name text not null,
    password_hash text,
    admin integer not null,
    guest integer not null,
    created_at integer not null,
    constraint accounts_pkey primary key (id),
    constraint accounts_username_unique unique (username)
) strict;

-- Is there an administrator? Asked at every start: not to be a scan of all guests.
create index accounts_admins on accounts (id) where admin;

create table sessions (
    id blob not null,
    account blob not null,
    created_at integer not null,
    expires_at integer not null,
    ended_at integer,
    constraint sessions_pkey primary key (id),
    constraint sessions_account_fkey foreign key (account) references accounts (id)
) strict;

-- Ending all of an account's sessions.
create index sessions_not_ended on sessions (account) where ended_at is null;

create table refresh_tokens (
    hash blob not null,
    session blob not null,
    used_at integer,
    constraint refresh_tokens_pkey primary key (hash),
    constraint refresh_tokens_session_fkey foreign key (session) references sessions (id)
) strict, without rowid;

create table rooms (
    id blob not null,
    slug text not null,
    name text not null,
    visibility text not null,
    partition_no integer not null,
    created_at integer not null,
    constraint rooms_pkey primary key (id),
    constraint rooms_slug_unique unique (slug),
    constraint rooms_visibility_known check (visibility in ('public', 'members', 'private'))
) strict;

-- The list of rooms by name, without wading through the private ones.
create index rooms_listed on rooms (slug) where visibility <> 'private';

create table memberships (
    room blob not null,
    account blob not null,
    role text not null,
    joined_epoch integer not null,
    joined_offset integer not null,
    constraint memberships_pkey primary key (room, account),
    constraint memberships_room_fkey foreign key (room) references rooms (id),
    constraint memberships_account_fkey foreign key (account) references accounts (id),
    constraint memberships_role_known check (role in ('member', 'owner'))
) strict, without rowid;

-- Somebody's own rooms.
create index memberships_of_account on memberships (account);

create table read_markers (
    room blob not null,
    account blob not null,
    epoch integer not null,
    offset_no integer not null,
    constraint read_markers_pkey primary key (room, account),
    constraint read_markers_room_fkey foreign key (room) references rooms (id),
    constraint read_markers_account_fkey foreign key (account) references accounts (id)
) strict, without rowid;

-- How far each partition of the log is folded.
create table progress (
    partition_no integer not null,
    next_offset integer not null,
    constraint progress_pkey primary key (partition_no)
) strict, without rowid;

-- The archive: every event as readers see it (JSON). `message`: whose text it carries, if any.
create table events (
    room blob not null,
    epoch integer not null,
    offset_no integer not null,
    kind text not null,
    message blob,
    body text not null,
    constraint events_pkey primary key (room, epoch, offset_no),
    constraint events_room_fkey foreign key (room) references rooms (id)
) strict;

-- Deleting a message blanks its text wherever the archive has it.
create index events_with_text_of on events (room, message) where message is not null;

create table messages (
    room blob not null,
    id blob not null,
    epoch integer not null,
    offset_no integer not null,
    author blob not null,
    body text not null,
    sent_at integer not null,
    edited_at integer,
    deleted integer not null,
    reply_to blob,
    constraint messages_pkey primary key (room, id),
    -- One event a place; also the index that history is paged by.
    constraint messages_place_unique unique (room, epoch, offset_no),
    constraint messages_room_fkey foreign key (room) references rooms (id),
    constraint messages_author_fkey foreign key (author) references accounts (id)
) strict;

create table reactions (
    room blob not null,
    message blob not null,
    emoji text not null,
    account blob not null,
    epoch integer not null,
    offset_no integer not null,
    constraint reactions_pkey primary key (room, message, emoji, account),
    constraint reactions_message_fkey foreign key (room, message) references messages (room, id),
    constraint reactions_account_fkey foreign key (account) references accounts (id)
) strict, without rowid;

-- What could not be folded, for an operator to look at.
create table dead_letters (
    partition_no integer not null,
    epoch integer not null,
    offset_no integer not null,
    payload blob not null,
    reason text not null,
    buried_at integer not null,
    constraint dead_letters_pkey primary key (partition_no, epoch, offset_no)
) strict;
