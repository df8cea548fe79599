-- Files that messages name. Only additions: the version before goes on writing
-- beside this one.

-- `message`: the message that names the file by its address, if any does; only one
-- of its uploader's in the same room can. A file that none names goes after a day.
create table files (
    id uuid not null,
    room uuid not null,
    uploader uuid not null,
    address text collate "C" not null,
    media_type text not null,
    bytes bigint not null,
    created_at bigint not null,
    message uuid,
    unnamed_since bigint not null,
    constraint files_pkey primary key (id),
    constraint files_room_fkey foreign key (room) references rooms (id),
    constraint files_uploader_fkey foreign key (uploader) references accounts (id)
);

-- What a message may name, each time that one names a file.
create index files_unnamed on files (room, uploader) where message is null;

-- What goes, from time to time.
create index files_forgotten on files (unnamed_since) where message is null;

-- What goes with its message.
create index files_of_message on files (room, message) where message is not null;

-- The content in pieces: nobody has to hold a whole file to read it.
create table file_parts (
    file uuid not null,
    part bigint not null,
    content bytea not null,
    constraint file_parts_pkey primary key (file, part),
    constraint file_parts_file_fkey foreign key (file) references files (id) on delete cascade
);

-- Pictures are compressed already.
alter table file_parts alter column content set storage external;

-- Whoever writes messages, the version before too, and whether they are folded or put
-- right: which files they name follows from what they say.
create function messages_name_files() returns trigger language plpgsql as $$
begin
    if new.deleted then
        delete from files where room = new.room and message = new.id;
        return null;
    end if;
    update files set message = null, unnamed_since = greatest(unnamed_since, coalesce(new.edited_at, 0))
    where room = new.room and message = new.id and strpos(new.body, address) = 0;
    update files set message = new.id
    where room = new.room and uploader = new.author and message is null and strpos(new.body, address) > 0;
    return null;
end
$$;

create trigger messages_posted_with_files after insert on messages
    for each row when (new.deleted or strpos(new.body, '/files/') > 0) execute function messages_name_files();

create trigger messages_changed_with_files after update of body, deleted on messages
    for each row when (new.deleted or strpos(old.body, '/files/') > 0 or strpos(new.body, '/files/') > 0)
    execute function messages_name_files();
