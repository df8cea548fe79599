-- What `partyline audit` proves the archive by. Only additions: a file that the
-- version before has written to again opens all the same; it leaves `digest`
-- null.

-- SHA-256 of the event as it was archived: deleting a message blanks its text,
-- and leaves this.
alter table events add column digest blob;

-- Of each room's archive from `first` to `last`: how many events there are, and
-- the chain over their places and digests.
create table chains (
    room blob not null,
    first_epoch integer not null,
    first_offset integer not null,
    last_epoch integer not null,
    last_offset integer not null,
    events integer not null,
    digest blob not null,
    constraint chains_pkey primary key (room),
    constraint chains_room_fkey foreign key (room) references rooms (id)
) strict, without rowid;
