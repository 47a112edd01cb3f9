const to = (host: string, subset?: string) => ({ destination: { host, ...(subset !== undefined && { subset }) } });
const prefix = (path: string, ...more: readonly object[]) => [{ uri: { prefix: path }, ...Object.assign({}, ...more) }];

/** Routes of a VirtualService in which each path does another thing to a request: retries, time limits, faults, mirrors, weights, CORS. */
export const wireRoutes = (host: string) => [
  { match: prefix("/retry-5xx"), retries: { attempts: 2, retryOn: "5xx" }, route: [to(host, "v1")] },
  { match: prefix("/retry-503"), retries: { attempts: 3, retryOn: "503,gateway-error" }, route: [to(host, "v1")] },
  { match: prefix("/retry-4xx"), retries: { attempts: 1, retryOn: "retriable-4xx" }, route: [to(host, "v1")] },
  { match: prefix("/retry-grpc"), retries: { attempts: 2, retryOn: "unavailable,cancelled,resource-exhausted" }, route: [to(host, "v1")] },
  { match: prefix("/retry-reset"), retries: { attempts: 2, retryOn: "reset,connect-failure" }, route: [to("dead.shop.svc.cluster.local")] },
  { match: prefix("/retry-gateway"), retries: { attempts: 2, retryOn: "gateway-error" }, route: [to("dead.shop.svc.cluster.local")] },
  { match: prefix("/retry-refused"), retries: { attempts: 2, retryOn: "refused-stream,5xx" }, route: [to("dead.shop.svc.cluster.local")] },
  { match: prefix("/retry-none"), retries: { attempts: 0 }, route: [to(host, "v1")] },
  { match: prefix("/retry-both"), retries: { attempts: 2, retryOn: "5xx" }, route: [to(host)] },
  { match: prefix("/retry-time"), timeout: "2s", retries: { attempts: 2, perTryTimeout: "0.3s", retryOn: "5xx" }, route: [to(host, "v1")] },
  {
    match: prefix("/retry-tried"),
    timeout: "2s",
    retries: { attempts: 2, perTryTimeout: "0.3s", retryOn: "connect-failure" },
    route: [to(host, "v1")],
  },
  {
    match: prefix("/retry-over"),
    timeout: "0.5s",
    retries: { attempts: 5, perTryTimeout: "0.3s", retryOn: "5xx" },
    route: [to(host, "v1")],
  },
  { match: prefix("/retry-default"), route: [to(host, "v1")] },
  { match: prefix("/time"), timeout: "0.3s", route: [to(host, "v1")] },
  {
    match: prefix("/fault-half", { headers: { "x-half": { exact: "1" } } }),
    fault: { abort: { httpStatus: 418, percentage: { value: 50 } } },
    route: [to(host, "v1")],
  },
  { match: prefix("/fault-none"), fault: { abort: { httpStatus: 418, percentage: { value: 0 } } }, route: [to(host, "v1")] },
  {
    match: prefix("/fault-all"),
    fault: { abort: { httpStatus: 418 } },
    headers: { response: { set: { "x-fault": "1" } } },
    route: [to(host, "v1")],
  },
  {
    match: prefix("/fault-503"),
    retries: { attempts: 2, retryOn: "503" },
    fault: { abort: { httpStatus: 503, percentage: { value: 100 } } },
    route: [to(host, "v1")],
  },
  { match: prefix("/fault-grpc"), fault: { abort: { grpcStatus: "UNAVAILABLE", percentage: { value: 100 } } }, route: [to(host, "v1")] },
  { match: prefix("/fault-delay"), fault: { delay: { fixedDelay: "0.05s", percentage: { value: 100 } } }, route: [to(host, "v1")] },
  { match: prefix("/fault-redirect"), fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }, redirect: { uri: "/there" } },
  { match: prefix("/mirror-none"), mirror: { host: "copy" }, mirrorPercentage: { value: 0 }, route: [to(host, "v1")] },
  { match: prefix("/mirror-all"), mirror: { host: "copy" }, route: [to(host, "v1")] },
  { match: prefix("/mirror-nowhere"), mirror: { host: "copy" }, route: [to("empty.shop.svc.cluster.local")] },
  { match: prefix("/mirror-empty"), mirror: { host: "empty" }, route: [to(host, "v1")] },
  { match: prefix("/mirror-dead"), mirror: { host: "dead" }, route: [to(host, "v1")] },
  {
    match: prefix("/direct"),
    directResponse: { status: 503, body: { string: "closed" } },
    headers: { response: { set: { "x-direct": "1" } } },
  },
  { match: prefix("/redirect"), redirect: { uri: "/there", authority: "b.test", redirectCode: 308 } },
  {
    match: prefix("/weights"),
    route: [
      { ...to(host, "v1"), weight: 30, headers: { request: { set: { "x-way": "1" } }, response: { add: { "x-back": "1" } } } },
      { ...to(host, "v2"), weight: 70 },
    ],
  },
  {
    match: prefix("/zero"),
    route: [
      { ...to(host, "v1"), weight: 0 },
      { ...to(host, "v2"), weight: 100 },
    ],
  },
  { match: prefix("/missing"), route: [to(host, "v9")] },
  {
    match: prefix("/cors"),
    corsPolicy: {
      allowOrigins: [{ exact: "https://a.test" }, { regex: "https://[a-z]+\\.b\\.test" }],
      allowMethods: ["GET", "PUT"],
      allowHeaders: ["x-a"],
      maxAge: "60s",
      exposeHeaders: ["x-b"],
    },
    route: [to(host, "v1")],
  },
  {
    match: prefix("/cors-forward"),
    corsPolicy: { allowOrigins: [{ exact: "*" }], unmatchedPreflights: "IGNORE" },
    route: [to(host, "v1")],
  },
  {
    match: prefix("/headers"),
    headers: {
      request: { set: { "x-set": "%DOWNSTREAM_REMOTE_ADDRESS%" }, add: { "x-add": "b" }, remove: ["x-gone"] },
      response: { remove: ["x-none"] },
    },
    rewrite: { authority: "else.test", uri: "/new" },
    route: [to(host, "v1")],
  },
  { route: [to(host, "v1")] },
];
