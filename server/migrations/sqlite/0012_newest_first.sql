-- Rows of `message_terms` are the places of their messages, negative: from its
-- beginning on, the index has the newest first. To go through a term of millions
-- of messages from its end, FTS5 reads its list of pages anew at each step.
--
-- What there is is indexed again in the background, the newest first. A row that
-- the version before writes afterwards has its place as it is, and is found, out
-- of its turn.

insert into message_terms (message_terms) values ('delete-all');

drop trigger messages_text_changed;

drop trigger messages_taken_out;

update messages set place = null where place is not null;

create trigger messages_text_changed after update of body on messages
    when old.place is not null and old.body is not new.body
begin
    delete from message_terms where rowid = -old.place;
    delete from message_terms where rowid = old.place;
    update messages set place = null where room = new.room and id = new.id;
end;

create trigger messages_taken_out after delete on messages when old.place is not null
begin
    delete from message_terms where rowid = -old.place;
    delete from message_terms where rowid = old.place;
end;
