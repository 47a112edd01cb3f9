import responseValidation from "@fastify/response-validation";
import addFormats from "ajv-formats";
import type { FastifyInstance } from "fastify";

/**
 * Checks every answer that has a schema in the API: a field too many is left out, one that is missing or wrong makes it a 500 that the log
 * explains. Clients are never sent what the document does not promise.
 */
export function checkResponses(server: FastifyInstance): void {
  const plugins = [(ajv: Parameters<typeof addFormats.default>[0]) => addFormats.default(ajv)];
  // Called, not registered: a registered plugin would be there only after the routes.
  responseValidation(server, { ajv: { allErrors: false, allowUnionTypes: true, plugins } }, (error) => {
    if (error !== undefined) throw error;
  });
}
