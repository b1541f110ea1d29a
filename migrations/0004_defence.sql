-- Nobody gets in who doesn't belong, and nothing is lost: budgets by proof, limits by source, the sealed log, pepper and
-- restores. Portable SQL, as 0001 says.

-- ---- Budgets by proof

-- The networks that the user has logged in from with this device, as a JSON array: with the device they are half a proof.
alter table devices add column networks text not null default '[]';

-- ---- Limits by source and tenant

-- ---- The sealed log

-- ---- Secrets

-- ---- Backups and restores
