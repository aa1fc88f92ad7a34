-- What is counted of an event's check-ins, also by list and by what was answered, without a look at their rows; and an event's check-ins, the newest first.
DROP INDEX checkins_of_event;
CREATE INDEX checkins_of_event ON checkins (event_no, result, gate, at, list_no, said);
CREATE INDEX checkins_by_event ON checkins (org_id, event_no, id);
