import type { JsonObject } from '../platform/json.ts'

/**
 * What a schema alone cannot say, stated twice side by side: as CEL for the API server, and as a function for the
 * offline ways.
 */
export interface SchemaRule {
  /** CEL over `self`, the object that carries the rule. */
  readonly rule: string
  /** The same as the CEL; never written into a CRD, since JSON leaves functions out. */
  readonly holds: (self: JsonObject) => boolean
  readonly message: string
  /** The faulty field, relative to `self` and with a leading dot; absent where it is `self`. */
  readonly fieldPath?: `.${string}`
  readonly reason: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired'
}

/** On AIMService.spec.model. */
export const EXACTLY_ONE_MODEL: SchemaRule = {
  rule: 'has(self.ref) != has(self.image)',
  holds: (self) => Object.hasOwn(self, 'ref') !== Object.hasOwn(self, 'image'),
  message:
    'exactly one of ref and image must be set: ref names an AIMModel or AIMClusterModel, image a container image',
  reason: 'FieldValueInvalid'
}

/** On AIMClusterRuntimeConfig.spec: the fields exist there so that they are refused, not silently pruned. */
export const NO_CLUSTER_CREDENTIALS: readonly SchemaRule[] = ['serviceAccountName', 'imagePullSecrets'].map((field) => ({
  rule: `!has(self.${field})`,
  holds: (self) => !Object.hasOwn(self, field),
  message: `credentials belong in an AIMRuntimeConfig of the namespace that needs them: remove ${field} here and set it there`,
  fieldPath: `.${field}`,
  reason: 'FieldValueForbidden'
}))

/** On metadata, where the API server holds it without our saying. */
export const NAMED: SchemaRule = {
  rule: 'has(self.name) || has(self.generateName)',
  holds: (self) => Object.hasOwn(self, 'name') || Object.hasOwn(self, 'generateName'),
  message: 'name or generateName is required',
  fieldPath: '.name',
  reason: 'FieldValueRequired'
}
