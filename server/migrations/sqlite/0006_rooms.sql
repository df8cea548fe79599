-- What people change about rooms, and who runs them. Only additions: the version
-- before goes on reading and writing beside this one. It lets changes of rooms
-- pass, and takes a moderator for a member.

-- Empty: nothing is said.
alter table rooms add column topic text not null default '';
alter table rooms add column archived integer not null default 0;
-- The last change that is in the row; none: the room is as it was made.
alter table rooms add column changed_epoch integer not null default 0;
alter table rooms add column changed_offset integer not null default 0;
-- Name and topic in lower case, as the program makes it, for looking through the
-- list of rooms. Empty where the version before made the room.
alter table rooms add column words text not null default '';

-- Of a member alone: `role` knows no third word.
alter table memberships add column moderator integer not null default 0;

-- Who was taken out of a room, and where in the log: they do not come back by
-- themselves.
create table removals (
    room blob not null,
    account blob not null,
    epoch integer not null,
    offset_no integer not null,
    constraint removals_pkey primary key (room, account),
    constraint removals_room_fkey foreign key (room) references rooms (id),
    constraint removals_account_fkey foreign key (account) references accounts (id)
) strict, without rowid;

-- Links that let people in. Of the secret in them only SHA-256 is kept. One that is
-- taken back is deleted.
create table invites (
    id blob not null,
    room blob not null,
    secret_hash blob not null,
    made_by blob not null,
    created_at integer not null,
    expires_at integer not null,
    -- So many may come in by it; null: any number.
    uses integer,
    used integer not null default 0,
    -- Everything in the log before this was known when it was made.
    epoch integer not null,
    offset_no integer not null,
    constraint invites_pkey primary key (id),
    constraint invites_secret_unique unique (secret_hash),
    constraint invites_room_fkey foreign key (room) references rooms (id),
    constraint invites_made_by_fkey foreign key (made_by) references accounts (id)
) strict;

-- A room's.
create index invites_of_room on invites (room);
