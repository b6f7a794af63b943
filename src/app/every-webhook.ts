import type { RegisteredWebhook } from '../../webhooks/webhook-configurations.ts'
import { newAdmissionEngine } from '../../webhooks/engine.ts'

/** Every webhook of the product as it is registered, over a world without objects. */
export function everyWebhook (): readonly RegisteredWebhook[] {
  return newAdmissionEngine({ missingConfig: 'warn', missingBlock: 'refuse' }).webhooks
}
