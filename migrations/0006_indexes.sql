-- Indexes by age that only upkeep can use. Portable SQL, as 0001 says.

-- Where a table seems all but empty, every index that a condition fits is as good as any other to PostgreSQL: before it has
-- counted the rows, and for good where they are deleted within the second, like the marks of logins that succeed. By tenant
-- and age it fitted what a login asks for by key, which so read what all others had left there, alive or dead. So no
-- condition on the tenant fits these, and none on the bare instant of an attempt or a reset. (First the new ones, then the old ones
-- away: only that last moment locks out who reads.)
create index throttles_created on throttles (created_at);
create index login_sources_due on login_sources (due_at);
create index source_attempts_reserved on source_attempts ((reserved_at + 0));
create index password_resets_expiring on password_resets ((expires_at + 0));
drop index throttles_by_age;
drop index login_sources_by_due;
drop index source_attempts_by_age;
drop index password_resets_by_end;
