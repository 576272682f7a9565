import type { ServerResponse } from 'node:http'
import type { Api, ResourceRequest } from './api.ts'
import { noSuchPath } from './status.ts'

export async function streamLog(
  _api: Api,
  _request: ResourceRequest,
  _name: string,
  _response: ServerResponse,
): Promise<void> {
  throw noSuchPath()
}
