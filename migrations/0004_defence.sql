-- Nobody gets in who doesn't belong, and nothing is lost: budgets by proof, limits by source, the sealed log, pepper and
-- restores. Portable SQL, as 0001 says.

-- ---- Budgets by proof

-- The networks that the user has logged in from with this device, as a JSON array: with the device they are half a proof.
alter table devices add column networks text not null default '[]';
-- All failures in a row, whatever the pace; a lock that is over leaves them.
alter table throttles add column total bigint not null default 0;
-- Whose budget it is; null for a name that nobody has.
alter table throttles add column user_id text;
-- When the row was made: rows that are over go by it. It does not change, and so no update touches its index.
alter table throttles add column created_at bigint not null default 0;
update throttles set total = failures;
update throttles set user_id = substr(subject, 6) where subject like 'user:%';
create index throttles_by_user on throttles (user_id, tenant_id) where user_id is not null;
create index throttles_by_age on throttles (created_at, tenant_id);

-- ---- Limits by source and tenant

-- Where logins come from, as far as their failures are limited together: an IPv4 address or an IPv6 /64. Whatever counts
-- them begins with this row.
create table login_sources (
    tenant_id text not null references tenants (id),
    source text not null,
    -- Until when only who has proven something may log in from there: it has been seen spraying.
    banned_until bigint,
    updated_at bigint not null,
    change_id text not null,
    -- From when on upkeep looks whether the row is over. Logins leave it, so their updates touch no index.
    due_at bigint not null,
    primary key (tenant_id, source)
) /*busy table*/;
create index login_sources_by_due on login_sources (due_at, tenant_id);
-- Their logins that are in flight or have failed. A success takes its row away; upkeep deletes what nobody counts any more.
create table source_attempts (
    tenant_id text not null,
    source text not null,
    id text not null,
    reserved_at bigint not null,
    -- A few bits of a keyed digest of the user and the password that were tried; null while it is in flight.
    pair bytea,
    primary key (tenant_id, source, id),
    foreign key (tenant_id, source) references login_sources (tenant_id, source)
) /*busy table*/;
create index source_attempts_by_age on source_attempts (reserved_at, tenant_id);

-- ---- The sealed log

-- Up to which position the log of a tenant's events is sealed, the root of its Merkle tree (RFC 6962) there, what was
-- signed of both, and when.
alter table event_heads add column sealed bigint not null default 0;
alter table event_heads add column root bytea;
alter table event_heads add column checkpoint text;
alter table event_heads add column sealed_at bigint;
-- Up to here events may have been deleted for their age. An event in the log says so, signed, or nobody believes it.
alter table event_heads add column deleted_until bigint not null default 0;
create index event_heads_unsealed on event_heads (tenant_id) where sealed < position;
create index events_told_deleted on events (tenant_id, id) where name = 'audit_events_deleted';

-- The hashes of the tree, 256 a row as in C2SP's tlog-tiles: those of level 0 are the events', each of the next level
-- is the root of a whole row below. The last row of a level grows.
create table event_tiles (
    tenant_id text not null references tenants (id),
    level bigint not null,
    tile bigint not null,
    hashes bytea not null,
    primary key (tenant_id, level, tile)
) /*busy table*/;

-- What checkpoints are signed with (Ed25519): the installation's one key, its private half sealed under the master key.
create table audit_keys (
    id bigint not null primary key,
    private_key text not null,
    public_key bytea not null,
    created_at bigint not null
) /*table*/;

-- ---- Secrets

-- ---- Backups and restores

-- When the database was last put back to an older copy of itself, which is another history from there on: cursors of
-- its events name it, and none of an earlier history is taken.
alter table tenants add column restored_at bigint;
