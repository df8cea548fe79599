-- What a room keeps in view. The version before carries pins in the archive, and
-- does not fold them; it blanks a pinned message's row without touching this.
create table pins (
    room uuid not null,
    message uuid not null,
    account uuid not null,
    pinned_at bigint not null,
    epoch bigint not null,
    offset_no bigint not null,
    constraint pins_pkey primary key (room, message),
    constraint pins_message_fkey foreign key (room, message) references messages (room, id),
    constraint pins_account_fkey foreign key (account) references accounts (id)
);
