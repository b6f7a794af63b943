import { randomBytes } from 'node:crypto'
import { ownObject, ownString, type JsonObject } from '../src/platform/json.ts'
import type { ObjectStore, WriteResult } from '../src/core/ports.ts'
import {
  authority, servingCertificate, writeCertificateSet, type Authority, type CertificateSet, type ServingCertificate
} from './certificate-set.ts'
import { issueAuthority, issueServingPair, validityFrom } from './issue.ts'
import {
  MANAGED_BY, ROTATE_ANNOTATION, secretsPath, type CertificateObjects, type ClusterView
} from './read-cluster.ts'
import type { Step } from './rotate.ts'
import { bundlePatch } from './trust.ts'

export interface IssuePolicy {
  readonly names: readonly string[]
  readonly caDays: number
  readonly certDays: number
}

export interface CarryingOut {
  readonly store: ObjectStore
  readonly objects: CertificateObjects
  readonly policy: IssuePolicy
  readonly now: Date
}

/** `outdated`: somebody else was faster, and all is to be looked at anew. */
export type StepResult =
  | { readonly kind: 'written', readonly set?: CertificateSet }
  | { readonly kind: 'outdated' }
  | { readonly kind: 'failed', readonly reason: string }

/** Writes what a step asks for, unless what it was decided on has changed meanwhile. */
export async function applyStep (step: Exclude<Step, { kind: 'rest' }>, view: ClusterView, carrying: CarryingOut): Promise<StepResult> {
  if (step.kind === 'trust') return await writeBundles(step, view, carrying.store)
  const set = await setAfter(step, carrying)
  const { objects: { secret: id }, store } = carrying
  const object = secretOf(id, view.secret, {
    set,
    answered: step.kind === 'announce' ? 'ca' : step.kind === 'renew' ? 'leaf' : ''
  })
  const path = secretsPath(id)
  const result =
    view.secret === undefined ? await store.create(path, object) : await store.replace(`${path}/${id.name}`, object)
  const outcome = outcomeOf(result, `secrets/${id.name}`)
  return outcome.kind === 'written' ? { kind: 'written', set } : outcome
}

async function writeBundles ({ wanted }: Step & { kind: 'trust' }, { registrations = [] }: ClusterView, store: ObjectStore): Promise<StepResult> {
  let outcome: StepResult = { kind: 'written' }
  for (const registration of registrations) {
    const operations = bundlePatch(registration, wanted)
    if (operations.length === 0) continue
    const patched = outcomeOf(await store.patch(registration.path, operations), `caBundle of ${registration.path}`)
    if (patched.kind !== 'written') outcome = patched
  }
  return outcome
}

/**
 * Something that has gone meanwhile is no failure: the next look finds it gone. But a Secret cannot be made where its
 * namespace is missing.
 */
function outcomeOf (result: WriteResult, what: string): StepResult {
  if (result.kind === 'written') return { kind: 'written' }
  if (result.kind === 'outdated') return { kind: 'outdated' }
  return { kind: 'failed', reason: `${what}: ${result.kind === 'gone' ? 'not found' : result.reason}` }
}

async function setAfter (step: Exclude<Step, { kind: 'rest' | 'trust' }>, carrying: CarryingOut): Promise<CertificateSet> {
  switch (step.kind) {
    case 'restore': return step.set
    case 'begin': {
      const ca = await newAuthority(carrying)
      return { ca, serving: await newServing(ca, [], carrying), next: undefined, old: step.old }
    }
    case 'keep-trust': return { ...step.set, old: [...step.set.old, step.ca] }
    case 'renew': return { ...step.set, serving: await newServing(step.set.ca, step.set.serving.names, carrying) }
    case 'announce': return { ...step.set, next: await newAuthority(carrying) }
    case 'promote': {
      const { set: { ca: { keyPem: _, ...past }, old, serving }, next } = step
      return {
        ca: next,
        serving: await newServing(next, serving.names, carrying),
        next: undefined,
        old: [...old, past]
      }
    }
    case 'retire': return { ...step.set, old: [] }
  }
}

/** CAs have names of their own, so that nobody takes one for another. */
async function newAuthority ({ policy, now }: CarryingOut): Promise<Authority> {
  return authority(
    await issueAuthority(`aim-admission CA ${randomBytes(4).toString('hex')}`, validityFrom(now, policy.caDays))
  )
}

/**
 * For the wanted names and for those that the certificate before it had: replicas with other flags may still be asked
 * for them.
 */
async function newServing (ca: Authority, hadNames: readonly string[], { policy, now }: CarryingOut): Promise<ServingCertificate> {
  const { notBefore, notAfter } = validityFrom(now, policy.certDays)
  const names = [...new Set([...policy.names, ...hadNames])]
  return servingCertificate(
    await issueServingPair(ca, { names, notBefore, notAfter: new Date(Math.min(notAfter.getTime(), ca.notAfter)) })
  )
}

/** The Secret as it is to be, with whatever else its metadata holds; a request that is answered is taken away. */
function secretOf (
  { namespace, name }: CertificateObjects['secret'], known: JsonObject | undefined, { set, answered }: { readonly set: CertificateSet, readonly answered: string }
): JsonObject {
  const data = writeCertificateSet(set)
  if (known === undefined) {
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name, labels: MANAGED_BY },
      type: 'kubernetes.io/tls',
      data
    }
  }
  const metadata = ownObject(known, 'metadata')
  const annotations = ownObject(metadata, 'annotations')
  const kept = Object.entries(annotations).filter(
    ([key]) => key !== ROTATE_ANNOTATION || ownString(annotations, key) !== answered
  )
  return {
    ...known,
    metadata: {
      ...metadata,
      labels: { ...ownObject(metadata, 'labels'), ...MANAGED_BY },
      annotations: Object.fromEntries(kept)
    },
    data
  }
}
