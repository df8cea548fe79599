-- What answers a message, in order; and counted without a look at the rows.
create index messages_replies on messages (room, reply_to, epoch, offset_no, deleted) where reply_to is not null;
