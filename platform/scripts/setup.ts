// Keys, certificates, passwords and Secrets for a first start; later starts find them. PLATFORM_STATE says where.
import { main } from "../src/service-kit/src/index.ts";
import { placesOf, setUp } from "../src/setup/src/index.ts";

await main(() => setUp(placesOf(process.env)));
