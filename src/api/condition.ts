import type { Static } from 'typebox'
import type { conditionSchema } from './borrowed-schemas.ts'

/** One observation of an object's state. Source: metav1.Condition. */
export type Condition = Readonly<Static<typeof conditionSchema>>
