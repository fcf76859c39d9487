// The format of llama3.ts as a Jinja template, for the folders that Cria writes: transformers, llama.cpp and others read
// it. Calls of tools as JSON only; no built-in tools.

/**
 * Variables beside those of every chat template: `date_string` (default: today, else the day of the published template),
 * `date_lines` (default true), `tools_in_user_message` (default true).
 */
export const llama3Template = `{{ bos_token }}
{%- set start, stop = '<|start_header_id|>', '<|end_header_id|>\\n\\n' -%}
{%- set rest = namespace(messages=messages, system='') -%}
{%- set in_user = tools_in_user_message is not defined or tools_in_user_message -%}
{%- if rest.messages[0].role == 'system' -%}
  {%- set rest.system = rest.messages[0].content | trim -%}
  {%- set rest.messages = rest.messages[1:] -%}
{%- endif -%}
{%- macro rules() -%}
Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.Do not use variables.{{ '\\n\\n' }}
{%- for tool in tools %}{{ tool | tojson(indent=4) ~ '\\n\\n' }}{% endfor -%}
{%- endmacro -%}
{%- set scaffold = namespace(text='') -%}
{%- if tools -%}
  {%- set scaffold.text = 'Environment: ipython\\n' -%}
{%- endif -%}
{%- if date_lines is not defined or date_lines -%}
  {%- if date_string is defined -%}
    {%- set scaffold.date = date_string -%}
  {%- elif strftime_now is defined -%}
    {%- set scaffold.date = strftime_now('%d %b %Y') -%}
  {%- else -%}
    {%- set scaffold.date = '26 Jul 2024' -%}
  {%- endif -%}
  {%- set scaffold.text = scaffold.text ~ 'Cutting Knowledge Date: December 2023\\nToday Date: ' ~ scaffold.date ~ '\\n\\n' -%}
{%- elif tools -%}
  {%- set scaffold.text = scaffold.text ~ '\\n' -%}
{%- endif -%}
{%- if tools and not in_user -%}
  {%- set scaffold.text = scaffold.text ~ 'You have access to the following functions. To call a function, please respond with JSON for a function call.' ~ rules() -%}
{%- endif -%}
{%- if scaffold.text or rest.system -%}
  {{ start ~ 'system' ~ stop ~ scaffold.text ~ rest.system ~ '<|eot_id|>' }}
{%- endif -%}
{%- for message in rest.messages -%}
  {%- if message.tool_calls -%}
    {{ start ~ 'assistant' ~ stop }}
    {%- for call in message.tool_calls -%}
      {{ ('' if loop.first else '; ') ~ '{"name": "' ~ call.function.name ~ '", "parameters": ' ~ call.function.arguments | tojson ~ '}' }}
    {%- endfor -%}
    {{ '<|eot_id|>' }}
  {%- elif message.role in ['tool', 'ipython'] -%}
    {{ start ~ 'ipython' ~ stop ~ message.content | tojson ~ '<|eot_id|>' }}
  {%- else -%}
    {{ start ~ message.role ~ stop }}
    {%- if loop.first and tools and in_user -%}
      {{ 'Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.\\n\\n' ~ rules() }}
    {%- endif -%}
    {{ message.content | trim ~ '<|eot_id|>' }}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt %}{{ start ~ 'assistant' ~ stop }}{% endif -%}
`
