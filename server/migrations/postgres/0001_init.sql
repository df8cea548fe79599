-- The store in PostgreSQL. The same tables as in SQLite (migrations/sqlite).
--
-- Later migrations only add (nodes of two versions run side by side); what is
-- no longer needed goes one release later.
--
-- Names are sorted by code point (collate "C"), like in SQLite, whatever the
-- database's locale is.

create table meta (
    only_row boolean not null default true,
    epoch bigint not null,
    constraint meta_pkey primary key (only_row),
    constraint meta_only_one_row check (only_row)
);

insert into meta (epoch) values (1);

create table accounts (
    id uuid not null,
    username text collate "C" not null,
    display_name text collate "C" not null,
    password_hash text,
    admin boolean not null,
    guest boolean not null,
    created_at bigint not null,
    constraint accounts_pkey primary key (id),
    constraint accounts_username_unique unique (username)
);

-- Is there an administrator? Asked at every start: not to be a scan of all guests.
create index accounts_admins on accounts (id) where admin;

create table sessions (
    id uuid not null,
    account uuid not null,
    created_at bigint not null,
    expires_at bigint not null,
    ended_at bigint,
    constraint sessions_pkey primary key (id),
    constraint sessions_account_fkey foreign key (account) references accounts (id)
);

-- Ending all of an account's sessions.
create index sessions_not_ended on sessions (account) where ended_at is null;

create table refresh_tokens (
    hash bytea not null,
    session uuid not null,
    used_at bigint,
    constraint refresh_tokens_pkey primary key (hash),
    constraint refresh_tokens_session_fkey foreign key (session) references sessions (id)
);

create table rooms (
    id uuid not null,
    slug text collate "C" not null,
    name text collate "C" not null,
    visibility text not null,
    partition_no bigint not null,
    created_at bigint not null,
    constraint rooms_pkey primary key (id),
    constraint rooms_slug_unique unique (slug),
    constraint rooms_visibility_known check (visibility in ('public', 'members', 'private'))
);

-- The list of rooms by name, without wading through the private ones.
create index rooms_listed on rooms (slug) where visibility <> 'private';

create table memberships (
    room uuid not null,
    account uuid not null,
    role text not null,
    joined_epoch bigint not null,
    joined_offset bigint not null,
    constraint memberships_pkey primary key (room, account),
    constraint memberships_room_fkey foreign key (room) references rooms (id),
    constraint memberships_account_fkey foreign key (account) references accounts (id),
    constraint memberships_role_known check (role in ('member', 'owner'))
);

-- Somebody's own rooms.
create index memberships_of_account on memberships (account);

create table read_markers (
    room uuid not null,
    account uuid not null,
    epoch bigint not null,
    offset_no bigint not null,
    constraint read_markers_pkey primary key (room, account),
    constraint read_markers_room_fkey foreign key (room) references rooms (id),
    constraint read_markers_account_fkey foreign key (account) references accounts (id)
);

-- How far each partition of the log is folded.
create table progress (
    partition_no bigint not null,
    next_offset bigint not null,
    constraint progress_pkey primary key (partition_no)
);

-- The archive: every event as readers see it (JSON). `message`: whose text it carries, if any.
create table events (
    room uuid not null,
    epoch bigint not null,
    offset_no bigint not null,
    kind text not null,
    message uuid,
    body text not null,
    constraint events_pkey primary key (room, epoch, offset_no),
    constraint events_room_fkey foreign key (room) references rooms (id)
);

-- Deleting a message blanks its text wherever the archive has it.
create index events_with_text_of on events (room, message) where message is not null;

create table messages (
    room uuid not null,
    id uuid not null,
    epoch bigint not null,
    offset_no bigint not null,
    author uuid not null,
    body text not null,
    sent_at bigint not null,
    edited_at bigint,
    deleted boolean not null,
    reply_to uuid,
    constraint messages_pkey primary key (room, id),
    -- One event a place; also the index that history is paged by.
    constraint messages_place_unique unique (room, epoch, offset_no),
    constraint messages_room_fkey foreign key (room) references rooms (id),
    constraint messages_author_fkey foreign key (author) references accounts (id)
);

create table reactions (
    room uuid not null,
    message uuid not null,
    emoji text collate "C" not null,
    account uuid not null,
    epoch bigint not null,
    offset_no bigint not null,
    constraint reactions_pkey primary key (room, message, emoji, account),
    constraint reactions_message_fkey foreign key (room, message) references messages (room, id),
    constraint reactions_account_fkey foreign key (account) references accounts (id)
);

-- What could not be folded, for an operator to look at.
create table dead_letters (
    partition_no bigint not null,
    epoch bigint not null,
    offset_no bigint not null,
    payload bytea not null,
    reason text not null,
    buried_at bigint not null,
    constraint dead_letters_pkey primary key (partition_no, epoch, offset_no)
);
