import { isDeepStrictEqual } from 'node:util'
import * as z from 'zod'
import { parseSchema } from '../../base/parse-schema.ts'
import type { KubeObject } from '../../kube/resources/meta.ts'
import { defaultNetworkAnnotation, networksAnnotation } from '../../kube/resources/net-attach-def.ts'
import type { LintOptions } from '../../lint/context.ts'
import { lint, type ObjectFinding } from '../../lint/lint.ts'
import type { ResourceProblem } from '../../networks/driver.ts'

const reviewSchema = z.looseObject({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z.looseObject({
    uid: z.string().min(1),
    operation: z.string(),
    namespace: z.string().optional(),
    object: z.looseObject({ kind: z.string(), metadata: z.looseObject({}) }).nullish(),
    oldObject: z.looseObject({ metadata: z.looseObject({}) }).nullish(),
  }),
})

/** The part of an AdmissionReview (admission.k8s.io/v1) that the API server sends and we look at. */
export type AdmissionRequest = z.infer<typeof reviewSchema>['request']

/** Answer to an AdmissionRequest. */
export interface AdmissionResponse {
  readonly uid: string
  readonly allowed: boolean
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string }
  /** Printed by kubectl, one a line. */
  readonly warnings?: readonly string[]
}

/** Throws ConfigError naming the field that no API server would send so. */
export function parseAdmissionReview(text: string): AdmissionRequest {
  return parseSchema(reviewSchema, JSON.parse(text), { whole: 'AdmissionReview' }).request
}

/** What is wrong with the object that is to be written; nothing when the write does not change its networks. */
export function lintRequest(request: AdmissionRequest, options: LintOptions): ObjectFinding[] {
  const { object, oldObject, namespace = 'default' } = request
  if (object === null || object === undefined || isUnchanged(object, oldObject ?? undefined)) return []
  const metadata = { ...object.metadata, namespace }
  return lint([{ ...object, metadata } as unknown as KubeObject], options)
}

/** Denied for errors, all of them in one message; allowed with warnings. */
export function buildResponse(uid: string, findings: readonly ObjectFinding[]): AdmissionResponse {
  const errors = findings.filter(({ severity }) => severity === 'error').map(renderFinding)
  const warnings = findings.filter(({ severity }) => severity === 'warning').map(renderFinding)
  return {
    uid,
    allowed: errors.length === 0,
    ...(errors.length === 0 ? {} : { status: { code: 422, reason: 'Invalid', message: errors.join('; ') } }),
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}

/** Denied when there are problems, all of them in one message. */
export function denyProblems(uid: string, problems: readonly ResourceProblem[]): AdmissionResponse {
  if (problems.length === 0) return { uid, allowed: true }
  const message = problems.map(({ field, reason }) => `${field}: ${reason}`).join('; ')
  return { uid, allowed: false, status: { code: 422, reason: 'Invalid', message } }
}

/** A pod is written all the time, by its kubelet and by us; only its annotations ask for networks. */
function isUnchanged(object: Record<string, unknown>, before: Record<string, unknown> | undefined): boolean {
  return before !== undefined && isDeepStrictEqual(networksPart(object), networksPart(before))
}

function networksPart(object: Record<string, unknown>): unknown {
  if (object.kind !== 'Pod' && !isPodLike(object)) return object.spec
  const { annotations = {} } = object.metadata as { annotations?: Record<string, unknown> }
  return [annotations[networksAnnotation], annotations[defaultNetworkAnnotation]]
}

/** The old object of a request may come without a kind. */
function isPodLike({ kind, spec }: Record<string, unknown>): boolean {
  return kind === undefined && Array.isArray((spec as Record<string, unknown> | undefined)?.containers)
}

function renderFinding({ rule, message, fix, field, position }: ObjectFinding): string {
  const place = position === undefined ? '' : `, line ${position.line}, column ${position.column}`
  return `${field.join('.')}${place}: ${message}${fix === undefined ? '' : ` (fix: ${fix})`} [${rule}]`
}
