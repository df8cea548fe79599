-- Files that messages name. Only additions: a file that the version before has
-- written to again opens all the same.

-- `message`: the message that names the file by its address, if any does; only one
-- of its uploader's in the same room can. A file that none names goes after a day.
create table files (
    id blob not null,
    room blob not null,
    uploader blob not null,
    address text not null,
    media_type text not null,
    bytes integer not null,
    created_at integer not null,
    message blob,
    unnamed_since integer not null,
    constraint files_pkey primary key (id),
    constraint files_room_fkey foreign key (room) references rooms (id),
    constraint files_uploader_fkey foreign key (uploader) references accounts (id)
) strict;

-- What a message may name, each time that one names a file.
create index files_unnamed on files (room, uploader) where message is null;

-- What goes, from time to time.
create index files_forgotten on files (unnamed_since) where message is null;

-- What goes with its message.
create index files_of_message on files (room, message) where message is not null;

-- The content in pieces: nobody has to hold a whole file to read it.
create table file_parts (
    file blob not null,
    part integer not null,
    content blob not null,
    constraint file_parts_pkey primary key (file, part),
    constraint file_parts_file_fkey foreign key (file) references files (id) on delete cascade
) strict;

-- Whoever writes messages, the version before too, and whether they are folded or put
-- right: which files they name follows from what they say.
create trigger messages_posted_with_files after insert on messages
    when not new.deleted and instr(new.body, '/files/') > 0
begin
    update files set message = null, unnamed_since = max(unnamed_since, coalesce(new.edited_at, 0))
    where room = new.room and message = new.id and instr(new.body, address) = 0;
    update files set message = new.id
    where room = new.room and uploader = new.author and message is null and instr(new.body, address) > 0;
end;

create trigger messages_changed_with_files after update of body, deleted on messages
    when not new.deleted and (instr(old.body, '/files/') > 0 or instr(new.body, '/files/') > 0)
begin
    update files set message = null, unnamed_since = max(unnamed_since, coalesce(new.edited_at, 0))
    where room = new.room and message = new.id and instr(new.body, address) = 0;
    update files set message = new.id
    where room = new.room and uploader = new.author and message is null and instr(new.body, address) > 0;
end;

create trigger messages_inserted_deleted after insert on messages when new.deleted
begin
    delete from files where room = new.room and message = new.id;
end;

create trigger messages_deleted_with_files after update of deleted on messages when new.deleted
begin
    delete from files where room = new.room and message = new.id;
end;
