import jsonPatch, { type Operation } from 'fast-json-patch'
import { clone } from '../json.ts'
import { badRequest, StatusError } from '../status.ts'

const maxOperations = 10_000

/** JSON patch (RFC 6902). Throws 400 for a malformed patch, 422 for one that does not apply. */
export function applyJsonPatch(target: object, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('error decoding patch: a JSON patch is an array of operations')
  if (patch.length > maxOperations) throw badRequest(`the JSON patch has more than ${maxOperations} operations`)
  try {
    return jsonPatch.applyPatch(clone(target), clone(patch) as Operation[], true, true, true).newDocument
  } catch (error) {
    const [message] = (error as Error).message.split('\n')
    throw new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${message}`)
  }
}
