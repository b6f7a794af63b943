import { randomBytes } from 'node:crypto'
import { annotationOf, labelsOf, withAnnotation } from '../src/api/object-meta.ts'
import type { ObjectStore, WriteResult } from '../src/core/ports.ts'
import { ownObject, type JsonObject } from '../src/platform/json.ts'
import {
  authority, servingCertificate, writeCertificateSet, type Authority, type CertificateSet, type ServingCertificate
} from './certificate-set.ts'
import { issueAuthority, issueServingPair, validityFrom } from './issue.ts'
import {
  MANAGED_BY, ROTATE_ANNOTATION, secretsPath, type CertificateObjects, type ClusterView
} from './read-cluster.ts'
import type { Step } from './rotate.ts'
import { bundlePatch } from './trust.ts'

export interface IssuePolicy { readonly names: readonly string[], readonly caDays: number, readonly certDays: number }

export interface StepContext {
  readonly store: ObjectStore
  readonly objects: CertificateObjects
  readonly policy: IssuePolicy
  readonly now: Date
}

/** `conflict`: the object has changed since it was read; observe again. */
export type StepResult =
  | { readonly kind: 'written', readonly set?: CertificateSet }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'failed', readonly reason: string }

type WritingStep = Exclude<Step, { kind: 'rest' }>

/** Writes the change of a step, unless the objects have changed since they were read. */
export async function applyStep (step: WritingStep, view: ClusterView, context: StepContext): Promise<StepResult> {
  if (step.kind === 'trust') return await writeBundles(step, view, context.store)
  const { objects: { secret: id }, store } = context
  const set = await setAfter(step, context)
  const completed = step.kind === 'announce' ? 'ca' : step.kind === 'renew' ? 'leaf' : ''
  const path = secretsPath(id)
  const result = view.secret === undefined
    ? await store.create(path, newSecret(id, set))
    : await store.replace(`${path}/${id.name}`, updatedSecret(view.secret, set, completed))
  return result.kind === 'written' ? { kind: 'written', set } : failed(result, `secrets/${id.name}`)
}

async function writeBundles (
  { target }: Step & { kind: 'trust' }, { registrations = [] }: ClusterView, store: ObjectStore
): Promise<StepResult> {
  let result: StepResult = { kind: 'written' }
  for (const registration of registrations) {
    const operations = bundlePatch(registration, target)
    if (operations.length === 0) continue
    const patched = await store.patch(registration.path, operations)
    if (patched.kind !== 'written') result = failed(patched, `caBundle of ${registration.path}`)
  }
  return result
}

/** `gone` is a failure: a Secret cannot be created in a missing namespace. */
function failed (result: Exclude<WriteResult, { kind: 'written' }>, what: string): StepResult {
  if (result.kind === 'conflict') return result
  return { kind: 'failed', reason: `${what}: ${result.kind === 'gone' ? 'not found' : result.reason}` }
}

async function setAfter (step: Exclude<WritingStep, { kind: 'trust' }>, context: StepContext): Promise<CertificateSet> {
  switch (step.kind) {
    case 'restore': return step.set
    case 'begin': {
      const ca = await newAuthority(context)
      return { ca, serving: await newServing(ca, [], context), next: undefined, old: step.old }
    }
    case 'keep-trust': return { ...step.set, old: [...step.set.old, step.ca] }
    case 'renew': return { ...step.set, serving: await newServing(step.set.ca, step.set.serving.names, context) }
    case 'announce': return { ...step.set, next: await newAuthority(context) }
    case 'promote': {
      const { set: { ca: { keyPem: _, ...previous }, old, serving }, next } = step
      const promoted = await newServing(next, serving.names, context)
      return { ca: next, serving: promoted, next: undefined, old: [...old, previous] }
    }
    case 'retire': return { ...step.set, old: [] }
  }
}

/** Each CA has a unique name, so that verifiers do not confuse two of them. */
async function newAuthority ({ policy, now }: StepContext): Promise<Authority> {
  const name = `aim-admission CA ${randomBytes(4).toString('hex')}`
  return authority(await issueAuthority(name, validityFrom(now, policy.caDays)))
}

/** Keeps the previous names, because replicas with other flags may still be called by them. */
async function newServing (
  ca: Authority, previousNames: readonly string[], { policy, now }: StepContext
): Promise<ServingCertificate> {
  const { notBefore, notAfter } = validityFrom(now, policy.certDays)
  const names = [...new Set([...policy.names, ...previousNames])]
  const end = new Date(Math.min(notAfter.getTime(), ca.notAfter))
  return servingCertificate(await issueServingPair(ca, { names, notBefore, notAfter: end }))
}

function newSecret ({ namespace, name }: CertificateObjects['secret'], set: CertificateSet): JsonObject {
  const metadata = { namespace, name, labels: MANAGED_BY }
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', data: writeCertificateSet(set) }
}

/** Keeps all other metadata, and removes the annotation of the completed request. */
function updatedSecret (secret: JsonObject, set: CertificateSet, completed: string): JsonObject {
  const isCompleted = annotationOf(secret, ROTATE_ANNOTATION) === completed
  const kept = isCompleted ? withAnnotation(secret, ROTATE_ANNOTATION, undefined) : secret
  const metadata = { ...ownObject(kept, 'metadata'), labels: { ...labelsOf(secret), ...MANAGED_BY } }
  return { ...secret, metadata, data: writeCertificateSet(set) }
}
