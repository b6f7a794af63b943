import type { RegisteredWebhook } from '../../webhooks/webhook-configurations.ts'
import { newAdmission } from '../review/admission.ts'

/** Every webhook of the product as it is registered, over a world without objects. */
export function everyWebhook (): readonly RegisteredWebhook[] {
  return newAdmission({ missingConfig: 'warn', missingBlock: 'refuse' }).webhooks
}
