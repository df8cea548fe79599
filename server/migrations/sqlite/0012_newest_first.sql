-- Rows of `message_terms` are the places of their messages, negative: from its
-- beginning on, the index has the newest first. To go through a term of millions
-- of messages from its end, FTS5 reads its list of pages anew at each step.
--
-- Places begin at 1 << 62 now. One below it is of a version before, now or after
-- one has had the file again, with a row of its own value: such a message counts
-- as not indexed, and is indexed in the background, the newest first.

insert into message_terms (message_terms) values ('delete-all');

-- `messages_unindexed` stays for the version before.
create index messages_to_index on messages (sent_at) where (place is null or place < 1 << 62) and not deleted;

drop trigger messages_text_changed;

drop trigger messages_taken_out;

create trigger messages_text_changed after update of body on messages
    when old.place is not null and old.body is not new.body
begin
    delete from message_terms where rowid = -old.place;
    update messages set place = null where room = new.room and id = new.id;
end;

create trigger messages_taken_out after delete on messages when old.place is not null
begin
    delete from message_terms where rowid in (-old.place, old.place);
end;

create trigger messages_indexed_anew after update of place on messages when old.place < 1 << 62
begin
    delete from message_terms where rowid = old.place;
end;
