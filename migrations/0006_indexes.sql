-- Indexes by age that only upkeep can use. Portable SQL, as 0001 says.

-- What a login writes at its user and its source is deleted within the second, so PostgreSQL takes these tables for all but
-- empty and every index that a condition fits for as good as any other. By tenant and age it fitted, and a login read
-- what all others had left there, alive or dead. So no condition on the tenant fits these, and none on the bare instant
-- of an attempt.
drop index throttles_by_age;
create index throttles_by_age on throttles (created_at);
drop index login_sources_by_due;
create index login_sources_by_due on login_sources (due_at);
drop index source_attempts_by_age;
create index source_attempts_by_age on source_attempts ((reserved_at + 0));
