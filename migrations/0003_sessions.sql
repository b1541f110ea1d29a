-- A session's whole life: refreshes, limits, lists, endings and who is told of them. Portable SQL, as 0001 says.

-- The decided address of the latest refresh that came from another one than the login.
alter table sessions add column last_client_ip text;
-- The networks it was used from, as a JSON array: one that is not among them is told once.
alter table sessions add column networks text not null default '[]';
-- The user's login before this one: what a refresh tells as a login does.
alter table sessions add column previous_login_at bigint;
-- Those that nothing has ended in their row. A refresh changes no column of any index, so that PostgreSQL can write its
-- row in place (HOT).
create index sessions_open on sessions (id, tenant_id) where ended_at is null;
create index sessions_open_by_user on sessions (user_id, tenant_id, id) where ended_at is null;
-- The sessions of a user that a change has just ended, to write an event for each: by the instant, not through all that
-- the user ever had.
create index sessions_ended_by_user on sessions (user_id, tenant_id, ended_at) where ended_at is not null;
-- What staff search by.
create index sessions_by_device on sessions (device_id, tenant_id, id);
create index sessions_by_address on sessions (client_ip, tenant_id, id);
create index sessions_by_customer on sessions (customer_id, tenant_id, id);

-- What the user calls the device.
alter table devices add column name text;
-- The id that paths have: a device id of an app's may hold anything. It is the change that saw the device first.
update devices set change_id = user_id || '-' || first_seen_at where change_id is null;

-- Sessions that are being ended by what they have in common, slice by slice.
create table session_operations (
    tenant_id text not null references tenants (id),
    id text not null,
    -- What they have in common, as a JSON object; it goes when the operation is over.
    filter text not null,
    end_reason text not null,
    actor_kind text not null check (actor_kind in ('staff', 'backend', 'operator')),
    actor_id text,
    -- The word for why.
    reason text,
    -- Where it has come to: the id of the last session that was looked at.
    after_id text not null,
    ended bigint not null,
    started_at bigint not null,
    updated_at bigint not null,
    -- When it had looked at all of them. Logins that had begun before it are looked for once more, somewhat later.
    passed_at bigint,
    finished_at bigint,
    change_id text not null,
    primary key (tenant_id, id)
) /*table*/;
create index session_operations_running on session_operations (id, tenant_id) where finished_at is null;

-- Which sessions an event ended, for those who verify access tokens by themselves: the session of session_id, or all of
-- the user, the customer or the tenant that were opened at or before ends_until, but for ends_not.
alter table events add column ends text check (ends in ('session', 'user', 'customer', 'tenant'));
alter table events add column ends_until bigint;
alter table events add column ends_not text;
create index events_ending on events (tenant_id, position) where ends is not null;
create index events_ending_lately on events (tenant_id, occurred_at, position) where ends is not null;
