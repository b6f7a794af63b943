import { PathClaims } from '../../../src/cache/path-claims.ts'
import type { AssessmentWorld } from '../../../src/core/settings/assess.ts'
import { PRODUCT_FIELDS } from '../../../src/core/served-fields.ts'
import { DEFAULT_PATH_POLICY } from '../../../src/core/world.ts'

/** A world of these configurations, in which no other service holds a path unless `fields` say so. */
export function anAssessmentWorld (
  configs: AssessmentWorld['configs'], fields: Partial<AssessmentWorld> = {}
): AssessmentWorld {
  return { configs, paths: new PathClaims(), pathPolicy: DEFAULT_PATH_POLICY, served: PRODUCT_FIELDS, ...fields }
}
