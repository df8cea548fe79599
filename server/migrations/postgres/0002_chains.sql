-- What `partyline audit` proves the archive by. Only additions: the version
-- before goes on writing beside this one, and leaves `digest` null.

-- SHA-256 of the event as it was archived: deleting a message blanks its text,
-- and leaves this.
alter table events add column digest bytea;

-- Of each room's archive from `first` to `last`: how many events there are, and
-- the chain over their places and digests.
create table chains (
    room uuid not null,
    first_epoch bigint not null,
    first_offset bigint not null,
    last_epoch bigint not null,
    last_offset bigint not null,
    events bigint not null,
    digest bytea not null,
    constraint chains_pkey primary key (room),
    constraint chains_room_fkey foreign key (room) references rooms (id)
);
