import { AIM_SERVICE, KINDS } from '../src/api/kinds.ts'
import { GROUP, VERSION } from '../src/api/meta.ts'
import type { JsonObject } from '../src/platform/json.ts'

/**
 * Break-glass: an object with this annotation skips every webhook if its sender has the right to `bypass` AIMServices
 * in its namespace. The value is the reason. Neither the annotation nor the right alone has an effect.
 */
export const BYPASS_ANNOTATION = `${GROUP}/bypass`

/** A custom verb on `aimservices`, which roles grant and match conditions check. */
const BYPASS_VERB = 'bypass'

const REASON = `string(object.metadata.annotations['${BYPASS_ANNOTATION}'])`

/** CEL over the request: the annotation is set, and its sender has the right. */
const IS_BYPASS = 'object != null && has(object.metadata.annotations) && ' +
  `'${BYPASS_ANNOTATION}' in object.metadata.annotations && ${REASON} != '' && ` +
  `authorizer.group('${GROUP}').resource('${AIM_SERVICE.plural}').namespace(request.namespace)` +
  `.check('${BYPASS_VERB}').allowed()`

/**
 * The API server calls a webhook unless the request is a permitted bypass. Never fails: it reads no absent field, and
 * a DELETE has no object. Source: admissionregistration.k8s.io/v1, MatchCondition; needs CEL of Kubernetes 1.30.
 */
export const MATCH_CONDITIONS: readonly JsonObject[] = [
  { name: 'not-bypassed', expression: `!(${IS_BYPASS})` }
]

const NAME = 'aim-admission-bypass'

/** The whole warning if the reason has several lines, because a warning must be one line. */
const BYPASSED = 'aim-admission was bypassed; it resolved and checked nothing'

/** Reports each bypass by a warning and in the audit log, in the API server itself, and never refuses it. */
export function bypassPolicy (): JsonObject[] {
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
        matchConditions: [{ name: 'bypassed', expression: IS_BYPASS }],
        auditAnnotations: [{ key: 'reason', valueExpression: REASON }],
        validations: [
          { expression: 'false', message: BYPASSED, messageExpression: `'${BYPASSED} (reason: ' + ${REASON} + ')'` }
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
