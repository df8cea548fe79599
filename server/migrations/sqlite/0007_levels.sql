-- How much of a room somebody wants to be told of.
create table notification_levels (
    room blob not null,
    account blob not null,
    level text not null,
    constraint notification_levels_pkey primary key (room, account),
    constraint notification_levels_room_fkey foreign key (room) references rooms (id),
    constraint notification_levels_account_fkey foreign key (account) references accounts (id)
) strict, without rowid;
