import type { ResourceRequest } from '../api.ts'
import { badRequest } from '../status.ts'

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

/** How a write is to be carried out, from its query. */
export interface WriteOptions {
  readonly isDryRun: boolean
  readonly fieldManager: string
  readonly fieldValidation: FieldValidation
}

/** Throws 400 on a value that the API does not know. */
export function writeOptionsOf(request: ResourceRequest): WriteOptions {
  const { query } = request
  const dryRun = query.getAll('dryRun')
  if (dryRun.some((value) => value !== 'All' && value !== '')) {
    throw badRequest(`invalid dryRun ${JSON.stringify(dryRun.join(','))}: supported values: "All"`)
  }
  const fieldValidation = query.get('fieldValidation') || 'Warn'
  if (!isFieldValidation(fieldValidation)) {
    throw badRequest(`invalid fieldValidation "${fieldValidation}": supported values: "Ignore", "Warn", "Strict"`)
  }
  const fieldManager = query.get('fieldManager') || request.userAgent
  return { isDryRun: dryRun.includes('All'), fieldManager: fieldManager.slice(0, 128), fieldValidation }
}

function isFieldValidation(text: string): text is FieldValidation {
  return text === 'Ignore' || text === 'Warn' || text === 'Strict'
}
