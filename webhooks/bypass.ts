import { AIM_SERVICE, KINDS } from '../src/api/kinds.ts'
import { GROUP, VERSION } from '../src/api/meta.ts'
import type { JsonObject } from '../src/platform/json.ts'

/**
 * Break-glass: an object that carries this annotation, with a reason as its value, goes past every webhook where
 * whoever sends it may `bypass` AIMServices in its namespace. The annotation alone does nothing, and neither does the
 * right: those who may do everything stay under admission until they ask.
 */
export const BYPASS_ANNOTATION = `${GROUP}/bypass`

/** The verb that a role grants on `aimservices`. It is no verb of the API: it is only ever asked for. */
export const BYPASS_VERB = 'bypass'

/**
 * When a webhook is called, decided by the API server itself: unless the object asks to be let past and its sender may.
 * Never fails: nothing is read that may be absent, and a DELETE has no object. Source: admissionregistration.k8s.io/v1,
 * MatchCondition; CEL of Kubernetes 1.30 or later.
 */
export const MATCH_CONDITIONS: readonly JsonObject[] = [
  { name: 'not-bypassed', expression: `!(${asksToPass()} && ${mayPass()})` }
]

const NAME = 'aim-admission-bypass'

/** Stands alone where a reason has several lines, which no warning may have. */
const BYPASSED = 'aim-admission was bypassed, so nothing was resolved or checked'

/**
 * What tells of each bypass, in the API server too, so that it works while no webhook answers: a warning to its user,
 * and the audit log. It never refuses.
 */
export function bypassRecord (): JsonObject[] {
  const apiVersion = 'admissionregistration.k8s.io/v1'
  return [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: NAME },
      spec: {
        failurePolicy: 'Ignore',
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: [GROUP],
              apiVersions: [VERSION],
              operations: ['CREATE', 'UPDATE'],
              resources: KINDS.map(({ plural }) => plural),
              scope: '*'
            }
          ]
        },
        matchConditions: [{ name: 'bypassed', expression: `${asksToPass()} && ${mayPass()}` }],
        auditAnnotations: [{ key: 'reason', valueExpression: reason() }],
        validations: [
          { expression: 'false', message: BYPASSED, messageExpression: `'${BYPASSED} (reason: ' + ${reason()} + ')'` }
        ]
      }
    },
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: NAME },
      spec: { policyName: NAME, validationActions: ['Warn', 'Audit'] }
    }
  ]
}

function reason (): string {
  return `string(object.metadata.annotations['${BYPASS_ANNOTATION}'])`
}

function asksToPass (): string {
  return `object != null && has(object.metadata.annotations) && '${BYPASS_ANNOTATION}' in object.metadata.annotations && ${reason()} != ''`
}

function mayPass (): string {
  return `authorizer.group('${GROUP}').resource('${AIM_SERVICE.plural}').namespace(request.namespace).check('${BYPASS_VERB}').allowed()`
}
