// @ts-check
// What a task, a session, an agent or a model has used, in a few words.
import { cost, t, tokens } from "../lib/index.js";

/**
 * @typedef {object} Amounts As the server gives them; what was not told is 0.
 * @property {number} input_tokens Without those from the cache.
 * @property {number} output_tokens
 * @property {number} cache_read_tokens
 * @property {number} cache_write_tokens
 * @property {number} cost_usd
 * @property {number} [estimated_cost_usd] Of what nobody told a cost of, by the server's prices.
 */

/** @param {Amounts} used */
export function allTokens({ input_tokens, output_tokens, cache_read_tokens, cache_write_tokens }) {
	return input_tokens + output_tokens + cache_read_tokens + cache_write_tokens;
}

/**
 * What was told and what is estimated, together; empty: neither.
 * @param {Amounts} used
 */
export function allCost({ cost_usd: told, estimated_cost_usd: estimated = 0 }) {
	const all = told + estimated;
	return all && (estimated ? t("usage.about", { cost: cost(all) }) : cost(all));
}

/**
 * The cost, or where none was told the tokens; empty: neither.
 * @param {Amounts | null | undefined} used
 */
export function costOf(used) {
	if (!used) return "";
	const money = allCost(used);
	if (money) return money;
	const all = allTokens(used);
	return all ? t("usage.tokens", { count: tokens(all) }) : "";
}

/**
 * All that was told: the cost, and tokens by kind.
 * @param {Amounts} used
 */
export function usageOf(used) {
	const kinds = /** @type {const} */ (["input", "output", "cache_read", "cache_write"]);
	return [
		allCost(used),
		...kinds.map((kind) => used[`${kind}_tokens`] && t(`usage.${kind}`, { count: tokens(used[`${kind}_tokens`]) })),
	].filter(Boolean).join(" · ");
}
