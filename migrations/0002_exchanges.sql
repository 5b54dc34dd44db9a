-- A question with the answer it got, once it has one; an answer that is not a full one begins with how it ended.
create view exchanges as
select
    answer.id,
    answer.owner,
    answer.conversation_id,
    answer.turn_id,
    answer.position,
    answer.status,
    conversation.title,
    question.created_at as asked_at,
    question.content as question,
    concat_ws(
        ' ',
        case when answer.status <> 'answered' then '(' || answer.status || ')' end,
        nullif(coalesce(answer.refusal ->> 'message', answer.content), '')
    ) as answer
from messages answer
join messages question
    on question.turn_id = answer.turn_id and question.owner = answer.owner and question.role = 'user'
join conversations conversation on conversation.id = answer.conversation_id and conversation.owner = answer.owner
where answer.role = 'assistant' and answer.status <> 'running';

-- An owner's latest exchanges, whichever conversation they are in.
create index messages_by_owner on messages (owner, position);
