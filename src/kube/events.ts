import type { KubeObject } from './resources/meta.ts'

/** Writes Events. Never throws and never delays the caller; equal events within a while are counted, not repeated. */
export interface EventRecorder {
  event(
    about: KubeObject & { apiVersion?: string; kind?: string },
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
  ): void
}
