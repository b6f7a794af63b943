import t from 'tap'
import { outages } from '../support/contracts/outages.ts'

await outages(t, { services: 5_000, quietMs: 60_000, etcdPauseMs: 30_000, cuts: 100, apiServerKills: 3 })
