import t from 'tap'
import { outages } from '../../support/contracts/outages.ts'

await outages(t, { services: 60, quietMs: 6_000, etcdPauseMs: 4_000, cuts: 10, apiServerKills: 1 })
